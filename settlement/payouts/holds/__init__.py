"""What may not be paid now: eligibility, limits, refusals, token holds, missing funds and the pause."""
