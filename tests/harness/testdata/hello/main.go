// Command hello is what the test of BuildBinary builds.
package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
