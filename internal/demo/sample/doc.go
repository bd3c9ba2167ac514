// Package sample is an organization to show and to test replication with: a
// made-up company's cookbooks, roles, environments, data bags and policies, and
// small changes to them, as its staff would make.
//
// [Load] writes all of it into an organization through the Chef API. What it
// writes stands in the folder repo, laid out as a chef-repo with one folder per
// cookbook version; binary files, and what no file system holds, come from
// generated.go, and policies that lock these cookbooks from policies.go. Beside
// what every company has, it holds what replicators get wrong: files outside the
// nine classic segments of a cookbook, a version stored as 1.0, bytes that are no
// text, integers of twenty digits, an item that looks wrapped, an empty data bag
// and an empty policy group, and more; repo/README.md lists them.
//
// A [Churn] then changes the organization step by step, for ever, without
// letting it grow.
//
// The package knows one server only, the one that is written to. It does not
// compare organizations, and it prints nothing.
package sample
