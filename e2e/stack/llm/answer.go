package llm

import (
	"context"
	"fmt"
	"strings"
)

// answer is what the model says: text, or one call of a tool.
type answer struct {
	id        string
	text      string
	tool      string
	arguments string
}

// answer waits where the script says so and then takes the next step.
func (s *Server) answer(ctx context.Context, c chat) answer {
	a := answer{id: s.nextID()}
	if len(c.Tools) == 0 {
		a.text = aside(c)
		return a
	}
	found := c.conversation()
	taken := next(found)
	for _, h := range taken.holds {
		s.hold(ctx, h)
	}
	switch {
	case taken.say != "":
		a.text = taken.say
	case taken.call != "":
		a.tool, a.arguments, _ = strings.Cut(taken.call, " ")
	case taken.finish:
		a.finish(c, conclusion(found.results))
	default:
		a.run(c, taken.command)
	}
	return a
}

// run calls the terminal under the name by which this request offers it.
func (a *answer) run(c chat, command string) {
	terminal, here := c.offered("terminal", "execute_bash", "bash")
	if !here {
		a.text = fmt.Sprintf("I have no terminal here, only: %s", strings.Join(c.names(), ", "))
		return
	}
	a.tool, a.arguments = terminal.Name, terminal.arguments(map[string]string{"command": command})
}

func (a *answer) finish(c chat, message string) {
	finish, here := c.offered("finish")
	if !here {
		a.text = message
		return
	}
	a.tool, a.arguments = finish.Name, finish.arguments(map[string]string{"message": message})
}

// aside answers a request without tools: a title, a check of the connection, a
// summary.
func aside(c chat) string {
	for _, m := range c.Messages {
		if strings.Contains(strings.ToLower(strings.Join(m.Content, "\n")), "title") {
			return "Scripted conversation"
		}
	}
	return "Scripted answer"
}

func (s *Server) nextID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers++
	return fmt.Sprintf("scripted-%d", s.answers)
}
