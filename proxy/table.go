package proxy

import (
	"errors"
	"fmt"
	"strings"
)

// table finds operations. It is a tree of path segments; in every node literals are tried before parameters, so that
// ".../search" is never taken for an id.
type table struct{ root node }

type node struct {
	literals   map[string]*node
	id         *node // a parameter that is a conversation id
	parameter  *node
	tail       *leaf // takes the rest of the path
	operations *leaf // the path may end here
}

type leaf struct{ byMethod map[string]*row }

// row is an operation with the names of its parameters, in order.
type row struct {
	Operation
	names []string
}

func newTable(operations []Operation) (*table, error) {
	t := &table{}
	var faults []error
	for _, o := range operations {
		if err := t.add(o); err != nil {
			faults = append(faults, fmt.Errorf("operation %s %s: %w", o.Method, o.Path, err))
		}
	}
	return t, errors.Join(faults...)
}

func (t *table) add(o Operation) error {
	if err := checkOperation(o); err != nil {
		return err
	}
	r := &row{Operation: o}
	n := &t.root
	for segment := range strings.SplitSeq(o.Path[1:], "/") {
		name, tail, isParameter := parameter(segment)
		if isParameter {
			r.names = append(r.names, name)
		}
		if tail {
			return n.tailLeaf().add(r)
		}
		n = n.child(segment, name, isParameter)
	}
	return n.leaf().add(r)
}

func checkOperation(o Operation) error {
	if !strings.HasPrefix(o.Path, "/") || o.Method == "" || o.Permission == "" {
		return errors.New("needs a method, a path and a permission")
	}
	if i := strings.Index(o.Path, "...}"); i >= 0 && i+4 != len(o.Path) {
		return errors.New("a tail must be the last segment")
	}
	if strings.Count(o.Path, "{") > maxParams {
		return fmt.Errorf("has more than %d parameters", maxParams)
	}
	switch o.Treatment {
	case Pass, Own, Deny:
		return nil
	case Filter, Create, Confine, Virtual:
		if o.Handle == nil {
			return fmt.Errorf("the treatment %s needs a handler", o.Treatment)
		}
		return nil
	}
	return fmt.Errorf("unknown treatment %q", o.Treatment)
}

// parameter takes the braces off.
func parameter(segment string) (name string, tail, ok bool) {
	if !strings.HasPrefix(segment, "{") || !strings.HasSuffix(segment, "}") {
		return "", false, false
	}
	name = segment[1 : len(segment)-1]
	name, tail = strings.CutSuffix(name, "...")
	return name, tail, true
}

// isID says whether a parameter of this name is a conversation id.
func isID(name string) bool { return strings.HasSuffix(name, "conversation_id") }

func (n *node) child(segment, name string, isParameter bool) *node {
	switch {
	case isParameter && isID(name):
		n.id = or(n.id, &node{})
		return n.id
	case isParameter:
		n.parameter = or(n.parameter, &node{})
		return n.parameter
	}
	if n.literals == nil {
		n.literals = map[string]*node{}
	}
	if n.literals[segment] == nil {
		n.literals[segment] = &node{}
	}
	return n.literals[segment]
}

func (n *node) leaf() *leaf {
	n.operations = or(n.operations, &leaf{})
	return n.operations
}

func (n *node) tailLeaf() *leaf {
	n.tail = or(n.tail, &leaf{})
	return n.tail
}

func (l *leaf) add(r *row) error {
	if l.byMethod == nil {
		l.byMethod = map[string]*row{}
	}
	if l.byMethod[r.Method] != nil {
		return errors.New("stands in the table twice")
	}
	l.byMethod[r.Method] = r
	return nil
}

// namespace returns the first segments that belong to the table: nothing below them is ever served by the fallback.
func namespace(operations []Operation) map[string]bool {
	names := map[string]bool{"api": true, "sockets": true, "server_info": true, "v1": true}
	for _, o := range operations {
		name, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
		if _, _, isParameter := parameter(name); name != "" && !isParameter {
			names[name] = true
		}
	}
	return names
}
