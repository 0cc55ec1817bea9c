package bench_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// TestMain runs the measured side when this process was started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == hashWord {
		if err := argon.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if side := os.Getenv(sideVariable); side != "" {
		if err := serveSide(side); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dbtest.Main(m)
}
