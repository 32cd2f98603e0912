package snapshot

// pointName and runName are those of a place whose segments lie one object each.
func pointName(id string, rest ...string) string { return (&Place{}).pointName(id, rest...) }

func runName(id string, rest ...string) string { return (&Place{}).runName(id, rest...) }
