"""What the ledger holds as files for others to read: `peakedex export`.

`tables` says which columns there are and makes their values, `texts` and `parquet` write them, `dump` opens
the database at a block and puts whole files in place.
"""
