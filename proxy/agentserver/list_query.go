package agentserver

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// listQuery is what a client asks of a list, checked.
type listQuery struct {
	conversation.Query
	status string     // "" for all
	extra  url.Values // what the upstream reads: include_skills
}

func statuses() []string {
	return []string{"idle", "running", "paused", "waiting_for_confirmation", "finished", "error", "stuck", "deleting"}
}

func sorts() []string {
	return []string{
		string(conversation.CreatedAscending), string(conversation.UpdatedAscending),
		string(conversation.CreatedDescending), string(conversation.UpdatedDescending),
	}
}

// readListQuery reads the parameters of a search or a count. A parameter that we would not honour is named, not ignored: a
// filter that silently does nothing shows too much.
func readListQuery(q url.Values, names ...string) (listQuery, error) {
	r := &queryReader{values: q}
	r.known(names...)
	limit := r.whole("limit", 100, 1, 100)
	status := r.choice("status", "", statuses()) // before the order, as the upstream names faults
	list := listQuery{
		Query: conversation.Query{
			Cursor: r.one("page_id"),
			Limit:  limit,
			Sort:   conversation.Sort(r.choice("sort_order", string(conversation.CreatedDescending), sorts())),
		},
		status: status,
		extra:  r.skills(),
	}
	return list, r.err()
}

// queryReader reads single parameters and collects the faults.
type queryReader struct {
	values url.Values
	faults []problem.Field
}

func (r *queryReader) fault(kind, name, msg string, input any) {
	r.faults = append(r.faults, problem.Field{Type: kind, Loc: []any{"query", name}, Msg: msg, Input: input})
}

func (r *queryReader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return problem.Fields(r.faults...)
}

// known refuses every parameter that is not named.
func (r *queryReader) known(names ...string) {
	var unknown []string
	for name := range r.values {
		if !slices.Contains(names, name) && name != "cid" && name != "session_api_key" {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		r.fault("extra_forbidden", name, "This filter is not supported here. Leave it out.", nil)
	}
}

// one is a parameter that may come once. Which of two would count differs between servers.
func (r *queryReader) one(name string) string {
	all := r.values[name]
	if len(all) > 1 {
		r.fault("value_error", name, "Give this parameter once", nil)
	}
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func (r *queryReader) whole(name string, standard, low, high int) int {
	given := r.one(name)
	if given == "" && !r.values.Has(name) {
		return standard
	}
	n, err := strconv.Atoi(given)
	switch {
	case errors.Is(err, strconv.ErrRange) && n > 0:
		r.fault("less_than_equal", name, "Input should be less than or equal to "+strconv.Itoa(high), given)
	case errors.Is(err, strconv.ErrRange):
		r.fault("greater_than", name, "Input should be greater than "+strconv.Itoa(low-1), given)
	case err != nil:
		r.fault("int_parsing", name, "Input should be a valid integer, unable to parse string as an integer", given)
	case n < low:
		r.fault("greater_than", name, "Input should be greater than "+strconv.Itoa(low-1), given)
	case n > high:
		r.fault("less_than_equal", name, "Input should be less than or equal to "+strconv.Itoa(high), given)
	}
	return n
}

func (r *queryReader) choice(name, standard string, allowed []string) string {
	given := r.one(name)
	if !r.values.Has(name) {
		return standard
	}
	if !slices.Contains(allowed, given) {
		r.fault("enum", name, "Input should be one of: "+strings.Join(allowed, ", "), given)
	}
	return given
}

// skills keeps include_skills, which only the upstream honours. It is read here, too: where no conversation is to be asked for,
// the upstream sees none of it.
func (r *queryReader) skills() url.Values {
	kept := url.Values{}
	given := r.one("include_skills")
	if !r.values.Has("include_skills") {
		return kept
	}
	switch strings.ToLower(given) {
	case "true", "1", "on", "yes", "t", "y":
		kept.Set("include_skills", "true")
	case "false", "0", "off", "no", "f", "n":
		kept.Set("include_skills", "false")
	default:
		r.fault("bool_parsing", "include_skills", "Input should be a valid boolean, unable to interpret input", given)
	}
	return kept
}
