package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
)

// readPassword takes the password from a file, from a person at a terminal (twice, without echo), or from a pipe (one line).
func readPassword(cmd *cobra.Command, file string) (string, error) {
	if file != "" {
		password, err := passwordIn(file)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		return password, nil
	}
	lines := bufio.NewReader(cmd.InOrStdin())
	stdin, isFile := cmd.InOrStdin().(*os.File)
	if !isFile || !isTerminal(stdin) {
		line, err := readLine(cmd.Context(), lines)
		if err != nil {
			return "", err
		}
		return nonEmpty(line)
	}
	return askTwice(cmd, stdin, lines)
}

func passwordIn(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return nonEmpty(strings.TrimRight(string(raw), "\r\n"))
}

func nonEmpty(password string) (string, error) {
	if password == "" {
		return "", errors.New("there is no password: write it on standard input or use --password-file")
	}
	return password, nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && stty(f, "-g") == nil
}

func askTwice(cmd *cobra.Command, terminal *os.File, lines *bufio.Reader) (string, error) {
	if err := stty(terminal, "-echo"); err != nil {
		return "", fmt.Errorf("hide what is typed: %w; use --password-file", err)
	}
	defer func() { _ = stty(terminal, "echo") }()
	first, err := ask(cmd, "Password: ", lines)
	if err != nil {
		return "", err
	}
	second, err := ask(cmd, "Again: ", lines)
	if err == nil && first != second {
		err = errors.New("the two passwords differ; run the command again")
	}
	if err != nil {
		return "", err
	}
	return nonEmpty(first)
}

func ask(cmd *cobra.Command, prompt string, lines *bufio.Reader) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	defer fmt.Fprintln(cmd.ErrOrStderr())
	return readLine(cmd.Context(), lines)
}

// readLine reads in the background, so that Ctrl-C ends the wait and the echo comes back.
func readLine(ctx context.Context, lines *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := lines.ReadString('\n')
		done <- result{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case r := <-done:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", r.err)
		}
		return r.line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// stty is there on every Unix and spares a dependency.
func stty(terminal *os.File, mode string) error {
	cmd := exec.Command("stty", mode)
	cmd.Stdin = terminal
	return cmd.Run()
}
