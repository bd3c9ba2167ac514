// Package config reads chef-sync.rb, the configuration file of Chef Replication,
// and returns it as one [Config] value with every default filled in.
//
// The file looks like Ruby and is never run: a grammar reads literals (strings,
// symbols, numbers, true, false, nil, arrays, hashes) in the statement forms
// that such files use,
//
//	role :replica
//	master 'https://chef-1.example.com'
//	organizations [{ :source => 'acme', :destination => 'acme' }]
//	ec_sync_client['sync_user'] = 'ec_sync_user'
//
// and everything that Ruby would have to compute is an error that says so.
//
// A reading reports all problems of a file at once, as [Problems], each with its
// line, its column and what to write instead. Settings of the original that mean
// nothing here are accepted; each one that a file sets is a [Notice].
//
// One table, in settings*.go, holds every setting with its default, its meaning
// and the code that reads it. [Settings] returns it, and docs/settings.md has it:
// make docs, or go generate, writes that anew.
//
// How a file is read:
//
//	source -> tokens -> statements -> literals -> settings -> Config
//	          lex.go    split.go      grammar.go  assign.go   finish.go, pairs.go, entry.go
//
// The package reads the one file it is given. It opens no key, resolves no host,
// and knows no flags and no environment; those override the Config elsewhere.
package config

//go:generate go test -run TestReference -count 1 . -update
