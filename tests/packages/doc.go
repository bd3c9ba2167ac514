// Package packages tests the packages of Debian and Red Hat: what is in them, what
// installing, upgrading and removing them does to a host, and that a primary and a
// replica can be set up with them by the steps of the documentation.
package packages
