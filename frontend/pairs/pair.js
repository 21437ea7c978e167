// Address of a pair in earlier versions: redirects with its query.
location.replace(`../trade.html${location.search}`);
