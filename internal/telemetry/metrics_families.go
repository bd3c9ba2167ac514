package telemetry

import "slices"

// The types of a [Family].
const (
	TypeCounter   = "counter"
	TypeGauge     = "gauge"
	TypeHistogram = "histogram"
)

// Family is a metric that ec-syncd serves, whatever its labels.
type Family struct {
	Name string
	Type string // TypeCounter, TypeGauge or TypeHistogram

	// Labels are those beside replica, which all families have. The values of each
	// are a closed set, or the organizations of the configuration.
	Labels []string

	Help string

	buckets []float64 // of a histogram, in seconds
}

// The names of the families, where code has to name them.
const (
	FamilyMode          = "chef_sync_pair_mode"
	FamilyRunning       = "chef_sync_pair_running"
	FamilyInfo          = "chef_sync_pair_info"
	FamilyLagChanges    = "chef_sync_pair_lag_changes"
	FamilyLagSeconds    = "chef_sync_pair_lag_seconds"
	FamilySuccess       = "chef_sync_pair_last_success_timestamp_seconds"
	FamilyUnsynced      = "chef_sync_pair_unsynced"
	FamilyUnsyncedKinds = "chef_sync_pair_unsynced_objects"
	FamilyExtras        = "chef_sync_pair_extra_objects"
	FamilyTrouble       = "chef_sync_pair_trouble"

	FamilyObjects   = "chef_sync_objects_total"
	FamilyFiles     = "chef_sync_files_total"
	FamilyFileBytes = "chef_sync_file_bytes_total"
	FamilyRequests  = "chef_sync_requests_total"
	FamilyRequest   = "chef_sync_request_seconds"
	FamilyParallel  = "chef_sync_server_parallel"
	FamilyInFlight  = "chef_sync_server_in_flight"
	FamilyQueued    = "chef_sync_server_waiting"
	FamilyAlone     = "chef_sync_server_left_alone_seconds"
	FamilyCuts      = "chef_sync_server_cuts_total"
	FamilyPhase     = "chef_sync_phase_seconds"
	FamilyHalts     = "chef_sync_delete_guard_halts_total"
	FamilyLost      = "chef_sync_cursors_lost_total"
	FamilyPosts     = "chef_sync_webhook_posts_total"

	FamilyTemporal = "chef_sync_temporal_up"
	FamilyBuild    = "chef_sync_build_info"
)

const org = "organization"

// families is the one table of what a replicator serves beside the metrics of
// Temporal's SDK (temporal_*), of Go and of the process. docs/metrics.md has it for
// people.
var families = []Family{
	{FamilyMode, TypeGauge, []string{org, "mode"}, "1 for what the pair is doing.", nil},
	{FamilyRunning, TypeGauge, []string{org}, "1 if the pair was started, 0 if it is only configured.", nil},
	{FamilyInfo, TypeGauge, []string{org, "source", "feed"}, "1 with the organization that is copied and the feed that tells of its changes.", nil},
	{FamilyLagChanges, TypeGauge, []string{org}, "Changes that were known to follow at the last look; absent if nobody knows.", nil},
	{FamilyLagSeconds, TypeGauge, []string{org}, "0 if the replica held all that the feed had told at the last look, else the seconds since the last success.", nil},
	{FamilySuccess, TypeGauge, []string{org}, "When the pair last copied a page or found nothing new, or when its present mode began if that is later.", nil},
	{FamilyUnsynced, TypeGauge, []string{org}, "Objects that are not as on the primary and are tried again.", nil},
	{FamilyUnsyncedKinds, TypeGauge, []string{org, "kind"}, "The same by kind; absent for a kind that has none.", nil},
	{FamilyExtras, TypeGauge, []string{org}, "Objects that only the replica had at the last full comparison, and that are kept.", nil},
	{FamilyTrouble, TypeGauge, []string{org, "reason"}, "1 for why the pair waits; absent if it does not.", nil},

	{FamilyObjects, TypeCounter, []string{org, "kind", "action"}, "Objects by what became of them.", nil},
	{FamilyFiles, TypeCounter, []string{org, "kind", "direction"}, "Cookbook files that were transferred.", nil},
	{FamilyFileBytes, TypeCounter, []string{org, "kind", "direction"}, "Bytes of these files.", nil},
	{FamilyRequests, TypeCounter, []string{"server", "route", "result"}, "HTTP exchanges with a Chef server by what their answer means: ok, or whom an error concerns.", nil},
	{FamilyRequest, TypeHistogram, []string{"server", "route"}, "Duration of HTTP exchanges with a Chef server.", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60}},
	{FamilyParallel, TypeGauge, []string{"server"}, "Requests that the server is given at a time now; parallel, unless it failed or was slow of late.", nil},
	{FamilyInFlight, TypeGauge, []string{"server"}, "Requests that are under way, without those that a feed server was asked to hold.", nil},
	{FamilyQueued, TypeGauge, []string{"server"}, "Requests that wait for one of these to end.", nil},
	{FamilyAlone, TypeGauge, []string{"server"}, "How long the server asked still to be left alone (Retry-After); 0 if it did not.", nil},
	{FamilyCuts, TypeCounter, []string{"server"}, "How often the number of requests at a time was halved.", nil},
	{FamilyPhase, TypeHistogram, []string{"phase"}, "Duration of the steps of replication, of which each handles one page or batch.", []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800}},
	{FamilyHalts, TypeCounter, []string{org}, "How often the pair halted rather than delete much.", nil},
	{FamilyLost, TypeCounter, []string{org}, "How often the feed could not go on from the pair's cursor, so that everything was compared.", nil},
	{FamilyPosts, TypeCounter, []string{"event", "result"}, "Attempts to tell the webhook.", nil},

	{FamilyTemporal, TypeGauge, nil, "1 if Temporal answered when it was last asked.", nil},
	{FamilyBuild, TypeGauge, []string{"version"}, "1 with the version of ec-syncd.", nil},
}

// Families returns the table of metrics.
func Families() []Family {
	out := slices.Clone(families)
	for i := range out {
		out[i].Labels = slices.Clone(out[i].Labels)
	}
	return out
}
