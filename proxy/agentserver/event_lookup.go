package agentserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Asked for an event that it does not have, the upstream fails, and writing that into its log stops it for all teams, by default
// for seconds. So events are looked up by a search first, which costs it next to nothing whether they are there or not.

// oneEvent forwards a question about an event that is there.
func (d *Dialect) oneEvent(x *proxy.Exchange) error {
	found, err := d.hasEvent(x, x.Param("event_id"))
	if err != nil {
		return err
	}
	if !found {
		return access.ErrHidden
	}
	return d.storedEvents(x)
}

// batchEvents asks for those events that are there. In the places of the others stands null.
func (d *Dialect) batchEvents(x *proxy.Exchange) error {
	ids, err := idList(x, maxEventIDs)
	if err != nil {
		return err
	}
	known, err := d.knownEvents(x, ids)
	if err != nil {
		return err
	}
	if there := existing(ids, known); len(there) < len(ids) {
		return d.incompleteBatch(x, ids, known, there)
	}
	return x.Forward(d.narrowing(x, outgoing(ids)))
}

// knownEvents looks each id up once, one after the other.
func (d *Dialect) knownEvents(x *proxy.Exchange, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	for _, id := range ids {
		if _, asked := known[id]; asked {
			continue
		}
		found, err := d.hasEvent(x, id)
		if err != nil {
			return nil, err
		}
		known[id] = found
	}
	return known, nil
}

func existing(ids []string, known map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !known[id] })
}

func (d *Dialect) incompleteBatch(x *proxy.Exchange, ids []string, known map[string]bool, there []string) error {
	events, err := d.fetchEvents(x, there)
	if err != nil {
		return err
	}
	answer := make([]json.RawMessage, len(ids))
	for i, id := range ids {
		if known[id] && len(events) > 0 {
			answer[i], events = events[0], events[1:]
		}
	}
	return x.JSON(http.StatusOK, answer)
}

// fetchEvents asks for events, narrowed as in answers that are forwarded.
func (d *Dialect) fetchEvents(x *proxy.Exchange, ids []string) ([]json.RawMessage, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	reply, err := x.Fetch(x.Request.Context(), outgoing(ids))
	if err != nil {
		return nil, err
	}
	if reply.Status >= 300 {
		return nil, d.refusal(reply)
	}
	var events []json.RawMessage
	return events, decode(d.narrowRaw(x.Principal(), reply.Body), &events)
}

// hasEvent searches from the event on: the first one that comes is the event itself, or there is none with that id.
func (d *Dialect) hasEvent(x *proxy.Exchange, id string) (bool, error) {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{
		Path: conversations + "/" + x.Object.ID.String() + "/events/search", Query: url.Values{"page_id": {id}, "limit": {"1"}},
	})
	if err != nil {
		return false, err
	}
	if reply.Status >= 300 {
		return false, d.refusal(reply)
	}
	var page struct{ Items []struct{ ID string } }
	if err := decode(reply.Body, &page); err != nil {
		return false, err
	}
	return len(page.Items) > 0 && page.Items[0].ID == id, nil
}
