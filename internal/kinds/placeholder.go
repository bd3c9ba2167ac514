package kinds

// Placeholder is the name of a policy that exists for an instant while an empty
// policy group is made, which no Chef server can do otherwise. It is never
// replicated.
const Placeholder = "chef-sync-placeholder"
