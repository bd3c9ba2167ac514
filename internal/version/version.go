// Package version says which chef-sync this is. Packages set the three variables
// when they link; without, the Go toolchain's own record of the source stands in.
//
//	go build -ldflags '-X github.com/chef-sync/chef-sync/internal/version.Version=1.2.3' ./worker
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// Set with -ldflags -X; "" = as the toolchain recorded.
var (
	Version string // of the release, such as 1.2.3
	Commit  string // of the source
	Date    string // of the commit, RFC 3339
)

// Development is the version of a program that was built outside any release.
const Development = "(devel)"

// Info is what is known of a program.
type Info struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`

	// Modified says that the source was not that of Commit alone.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

// Get returns what is known of this program.
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return from(build)
}

// from is Get with a record of the toolchain.
func from(build *debug.BuildInfo) Info {
	i := Info{Version: Version, Commit: Commit, Date: Date, Go: runtime.Version()}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = cmp.Or(i.Commit, s.Value)
		case "vcs.time":
			i.Date = cmp.Or(i.Date, s.Value)
		case "vcs.modified":
			i.Modified = s.Value == "true" && Commit == ""
		}
	}
	i.Version = cmp.Or(i.Version, build.Main.Version, Development)
	return i
}

// String is the version, with the commit if it is known: "1.2.3 (0a8b13bcafe1)".
func (i Info) String() string {
	if i.Commit == "" {
		return i.Version
	}
	short := i.Commit[:min(12, len(i.Commit))]
	if i.Modified {
		short += ", modified"
	}
	return i.Version + " (" + short + ")"
}
