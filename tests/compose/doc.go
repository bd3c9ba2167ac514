// Package compose tests docker-compose.yml and what it mounts: what docker-compose
// says of it, and its services' own commands, run with the programs that the images
// hold.
package compose
