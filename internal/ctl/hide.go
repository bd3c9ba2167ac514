package ctl

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// holdsSecrets reports whether the values in objects of a kind may be secret:
// passwords in data bags, and in what recipes store in nodes.
func holdsSecrets(k object.Kind) bool {
	return k == object.KindDataBagItem || k == object.KindNode
}

// hide replaces values that may be secret by their digests, of whatever type they
// are: by a number or a boolean something could be told as well. Private keys are
// hidden wherever they stand. The paths stay.
func hide(k object.Kind, fields []plan.Field) {
	for i := range fields {
		for _, v := range []*string{&fields[i].Primary, &fields[i].Replica} {
			if *v != "" && (holdsSecrets(k) || strings.Contains(*v, "PRIVATE KEY")) {
				*v = hidden(*v)
			}
		}
	}
}

// hidden is what stands for a value: enough to see that two differ. It begins like
// no JSON value.
func hidden(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:6])
}

// wordsOnSecrets matches what a server answered for an object that may hold
// secrets, after the status: it may have repeated some of it.
var wordsOnSecrets = regexp.MustCompile(`(?s)(/(?:data/[^/\s]+|nodes)/\S+: \d{3})\b.*`)

// withoutWords leaves out of an error's text what a server said about an object
// that may hold secrets.
func withoutWords(text string) string {
	return wordsOnSecrets.ReplaceAllString(text, "$1 (its words may hold values; see them with --"+flagShowValues+")")
}
