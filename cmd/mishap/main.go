// Command mishap runs controlled chaos experiments.
package main

import (
	"context"
	"os"

	_ "time/tzdata" // windows name time zones, also where the system has none
)

func main() {
	os.Exit(run(context.Background(), environment{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr,
	}))
}
