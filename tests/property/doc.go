// Package property tests the whole of workflow, activities, feeds and engine with
// random histories: of the primary, of faults, of restarts and of operators. See
// TestConvergence.
package property
