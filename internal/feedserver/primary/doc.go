// Package primary knows the host of a primary Chef server: where the server's
// database is and how to log in there, and what its nginx has to be told so that
// requests for changes come to the feed server.
package primary
