"""HTTP plumbing shared by all endpoints: parameters, errors, ETags, paging, rate limits, OpenAPI."""
