package llm

import (
	"strconv"
	"strings"
	"time"
)

// greeting is the script of a message that holds none.
const greeting = "echo hello from $(pwd)"

// hold keeps an answer back.
type hold struct {
	name string
	most time.Duration // zero: until released
}

// step is one answer of the model.
type step struct {
	holds   []hold
	command string // run this in the terminal
	call    string // or call this tool with these arguments: a name, a blank and an object
	say     string // or answer with this text
	finish  bool   // or finish the task
}

// parse reads the script in a message. Its last step always ends the run.
func parse(message string) []step {
	var steps []step
	var holds []hold
	for line := range strings.Lines(message) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		rest = strings.TrimSpace(rest)
		switch {
		case rest == "":
		case word == "slow":
			holds = append(holds, newHold(rest))
		case word == "run":
			steps, holds = append(steps, step{holds: holds, command: rest}), nil
		case word == "call":
			steps, holds = append(steps, step{holds: holds, call: rest}), nil
		case word == "say":
			return append(steps, step{holds: holds, say: rest})
		}
	}
	if len(steps) == 0 {
		steps, holds = append(steps, step{holds: holds, command: greeting}), nil
	}
	return append(steps, step{holds: holds, finish: true})
}

func newHold(text string) hold {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 {
		return hold{name: text}
	}
	return hold{name: text, most: time.Duration(seconds * float64(time.Second))}
}

// next is the step that follows what the conversation holds so far: its script
// is the last message of the user, and each tool result after it is one step
// that was taken.
func next(c conversation) step {
	steps := parse(c.user)
	return steps[min(len(c.results), len(steps)-1)]
}

// conclusion is the closing message, with what the last command printed.
func conclusion(results []string) string {
	if len(results) == 0 {
		return "There was nothing to do."
	}
	last, _, _ := strings.Cut(results[len(results)-1], "\n[The command completed")
	return "The terminal answered: " + strings.TrimSpace(last)
}
