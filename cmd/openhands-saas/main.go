// Command openhands-saas serves OpenHands to many people, and does what its operator needs beside that.
//
// It holds no rule of the product: each command reads the configuration, calls internal/app and prints. One file is one
// command.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "openhands-saas:", explain(err))
		os.Exit(1)
	}
}
