// Package integration runs ec-syncd as a process of its own, with its embedded
// Temporal server, between Chef servers that nobody here wrote (goiardi on
// PostgreSQL), and steers it with chef-sync-ctl as an operator does.
package integration
