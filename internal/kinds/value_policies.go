package kinds

// View is that of a cookbook version, with the names.
func (artifacts) View(o Object) (any, error) { return viewManifest(o) }

// View is the revision without the policy group that some servers store in it.
func (policyRevisions) View(o Object) (any, error) {
	doc, err := decodeObject(o.Ref, o.Raw)
	if err != nil {
		return nil, err
	}
	delete(doc, "policy_group")
	return doc, nil
}

// View is the id of the revision.
func (pointers) View(o Object) (any, error) {
	doc, err := decodeObject(o.Ref, o.Raw)
	if err != nil {
		return nil, err
	}
	return map[string]any{"revision_id": doc["revision_id"]}, nil
}
