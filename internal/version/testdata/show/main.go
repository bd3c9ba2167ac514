// Command show prints its version.
package main

import (
	"fmt"

	"github.com/chef-sync/chef-sync/internal/version"
)

func main() { fmt.Println(version.Get()) }
