package proxy

import (
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// maxParams bounds the parameters of a template.
const maxParams = 4

// params are the parameters of a path as they were matched, in order. It is an array so that matching allocates nothing.
type params struct {
	names  []string
	values [maxParams]string // escaped, as they came; ids dashed
	ids    [maxParams]uuid.UUID
	offset [maxParams]int // where the value begins in the path
	raw    [maxParams]int // its length there
	count  int
}

func (p *params) get(name string) string {
	for i, n := range p.names {
		if n == name {
			s, _ := url.PathUnescape(p.values[i])
			return s
		}
	}
	return ""
}

// id returns the conversation of the path. When the template names two, they must be the same one.
func (p *params) id() (id uuid.UUID, found, same bool) {
	same = true
	for i, n := range p.names {
		if !isID(n) {
			continue
		}
		same = same && (!found || p.ids[i] == id)
		id, found = p.ids[i], true
	}
	return id, found, same
}

// match is what a target was found to be.
type match struct {
	row       *row
	params    params
	canonical string // the path with its ids in the form that is forwarded
}

// find returns the operation of a target; false when no row names it.
func (t *table) find(method string, target Target) (match, bool) {
	m := match{}
	w := walk{method: method, path: target.Path, params: &m.params}
	m.row = w.node(&t.root, 1)
	if m.row == nil || !w.allows(target.fileName) {
		return match{}, false
	}
	m.params.names = m.row.names
	m.canonical = m.params.canonical(target.Path)
	return m, true
}

// walk is one search. A branch that fails takes its parameters back.
type walk struct {
	method string
	path   string
	params *params
	tail   int // where the tail begins; 0 when the template has none
}

// allows says whether a %23 or %3B at offset stands where the name of a file may stand.
func (w *walk) allows(offset int) bool { return offset < 0 || (w.tail > 0 && offset >= w.tail) }

// node matches the path from offset on, which is the start of a segment.
func (w *walk) node(n *node, offset int) *row {
	length := strings.IndexByte(w.path[offset:], '/')
	last := length < 0
	if last {
		length = len(w.path) - offset
	}
	segment := w.path[offset : offset+length]
	next := func(child *node) *row {
		if last {
			return w.end(child.operations)
		}
		return w.node(child, offset+length+1)
	}
	if child := n.literals[segment]; child != nil {
		if r := next(child); r != nil {
			return r
		}
	}
	if r := w.parameters(n, segment, offset, next); r != nil {
		return r
	}
	return w.rest(n, offset)
}

func (w *walk) parameters(n *node, segment string, offset int, next func(*node) *row) *row {
	if n.id != nil {
		if id, ok := ConversationID(segment); ok {
			if r := w.with(id.String(), id, offset, len(segment), func() *row { return next(n.id) }); r != nil {
				return r
			}
		}
	}
	if n.parameter != nil && segment != "" {
		return w.with(segment, uuid.Nil, offset, len(segment), func() *row { return next(n.parameter) })
	}
	return nil
}

func (w *walk) rest(n *node, offset int) *row {
	r := w.end(n.tail)
	if r == nil {
		return nil
	}
	w.tail = offset
	return w.with(w.path[offset:], uuid.Nil, offset, len(w.path)-offset, func() *row { return r })
}

// with keeps a parameter if the rest matches too.
func (w *walk) with(value string, id uuid.UUID, offset, raw int, rest func() *row) *row {
	p := w.params
	i := p.count
	if i >= maxParams {
		return nil
	}
	p.values[i], p.ids[i], p.offset[i], p.raw[i] = value, id, offset, raw
	p.count++
	r := rest()
	if r == nil {
		p.count = i
	}
	return r
}

func (w *walk) end(l *leaf) *row {
	if l == nil {
		return nil
	}
	return l.byMethod[w.method]
}

// canonical writes ids dashed and in lower case; all other bytes stay as they came. A path that needs nothing is returned as
// it is.
func (p *params) canonical(path string) string {
	changed := false
	for i := range p.count {
		changed = changed || p.values[i] != path[p.offset[i]:p.offset[i]+p.raw[i]]
	}
	if !changed {
		return path
	}
	var b strings.Builder
	at := 0
	for i := range p.count {
		b.WriteString(path[at:p.offset[i]])
		b.WriteString(p.values[i])
		at = p.offset[i] + p.raw[i]
	}
	b.WriteString(path[at:])
	return b.String()
}
