// Command mishap runs controlled chaos experiments.
package main

import (
	"fmt"
	"os"
)

// version is set by the linker.
var version = "dev"

func main() {
	fmt.Fprintln(os.Stdout, "mishap", version)
}
