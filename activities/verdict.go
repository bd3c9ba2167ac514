package activities

// Verdict is how a verification ended.
type Verdict string

// The verdicts.
const (
	VerdictEqual   Verdict = "equal"
	VerdictDiffers Verdict = "differs"
	VerdictUnknown Verdict = "could not tell"
)
