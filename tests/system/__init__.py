"""System tests: real processes, HTTP servers, databases, clients and files."""
