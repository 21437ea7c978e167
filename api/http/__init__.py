"""HTTP plumbing: parameters, errors, paging, limits, ETags, OpenAPI. Knows no resource."""
