// Package stack starts the real world around the product: the upstream
// agent-server, and the product's own binary as a child process. `make run`
// and the end-to-end tests are built from it.
//
// It owns processes, their folders and their keys. It never talks to the
// product's packages: what it runs is the binary that people run.
//
// The key idea: whatever is started here ends with us, however we end. Every
// process has a group of its own and a tie to our life, and what an agent
// left running is swept with it.
package stack
