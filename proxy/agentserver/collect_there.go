package agentserver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// collectSeconds bounds the command; the upstream ends it then. It is below the engine's patience with an answer.
const collectSeconds = 240

// sweepScript defines what removes one folder, and says of it whether it is gone.
//
//go:embed collect_sweep.sh
var sweepScript string

// removeThere has the upstream remove folders, in one command: it has no route for that, and its log keeps two entries of each
// command.
func (d *Dialect) removeThere(ctx context.Context, folders []string) (map[string]error, error) {
	body := map[string]any{"command": d.sweep(folders), "cwd": d.config.WorkspaceRoot, "timeout": collectSeconds}
	out := outgoing(body)
	out.Method, out.Path = http.MethodPost, "/api/bash/execute_bash_command"
	reply, err := d.call(ctx, out)
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("the upstream did not run the command: status %d", reply.Status)
	}
	var said struct {
		Stdout, Stderr *string
	}
	if err := decode(reply.Body, &said); err != nil {
		return nil, err
	}
	if said.Stderr != nil {
		d.log.Warn("the upstream had trouble with the command that removes folders", "stderr", firstOf(*said.Stderr))
	}
	if said.Stdout == nil {
		return unanswered(folders), nil
	}
	return outcomes(folders, *said.Stdout), nil
}

// sweep is the command. Folders are given by their names from the folder of all teams downwards.
func (d *Dialect) sweep(folders []string) string {
	var b strings.Builder
	b.WriteString("teams=" + quoted(d.teamsFolder()) + "\n" + sweepScript)
	for i, f := range folders {
		b.WriteString("sweep " + strconv.Itoa(i))
		for _, name := range d.belowTeams(f) {
			b.WriteString(" " + quoted(name))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// quoted is a word for the shell that stands for s and nothing else.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func unanswered(folders []string) map[string]error {
	left := map[string]error{}
	for _, f := range folders {
		left[f] = errNotAnswered
	}
	return left
}

// outcomes reads what the script printed: a line of each folder.
func outcomes(folders []string, printed string) map[string]error {
	left := unanswered(folders)
	for line := range strings.Lines(printed) {
		number, outcome, _ := strings.Cut(strings.TrimSpace(line), " ")
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= len(folders) {
			continue
		}
		switch why, isLeft := strings.CutPrefix(outcome, "left: "); {
		case outcome == "gone":
			delete(left, folders[i])
		case isLeft:
			left[folders[i]] = errors.New(why)
		}
	}
	return left
}

// firstOf is the beginning of what may be long.
func firstOf(s string) string { return s[:min(len(s), 300)] }
