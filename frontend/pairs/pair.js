// The address of earlier versions: the query is handed on, and checked where it is used.
location.replace(`../trade.html${location.search}`);
