//go:build !noembed

package temporalserver

import "go.temporal.io/server/common/headers"

// Version is that of the Temporal server in this binary; "" if it holds none.
func Version() string { return headers.ServerVersion }
