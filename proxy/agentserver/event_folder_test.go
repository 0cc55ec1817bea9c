package agentserver_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

const hostFolder = "/var/upstream/conversations/0123/observations"

// observed is what an event of a terminal looks like once the folder was taken out, and as the upstream says it.
func observed(printed string) (said, want string) {
	head := `{"id":"e","source":"environment","observation":{"content":[{"text":"` + printed + `"}],"full_output_save_dir":"`
	tail := `,"kind":"TerminalObservation"},"kind":"ObservationEvent"}`
	return head + hostFolder + `"` + tail, head + `"` + strings.Repeat(" ", len(hostFolder)) + tail
}

func TestFoldersOfTheHostAreTakenOutOfEvents(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		`{"full_output_save_dir":"/a/b","x":1}`:                     `{"full_output_save_dir":""    ,"x":1}`,
		`{"full_output_save_dir" :` + "\n\t" + `"/é\"\\","x"}`:      `{"full_output_save_dir" :` + "\n\t" + `""       ,"x"}`,
		`{"full_output_save_dir":"\u002f\\"}`:                       `{"full_output_save_dir":""        }`,
		`{"full_output_save_dir":"/a","full_output_save_dir":"/b"}`: `{"full_output_save_dir":""  ,"full_output_save_dir":""  }`,
		`{"full_output_save_dir":""}`:                               "",
		`{"full_output_save_dir":null,"a":"/b"}`:                    "",
		`{"full_output_save_dir":{"a":"/b"}}`:                       "",
		`["full_output_save_dir","/a"]`:                             "",
		`{"text":"full_output_save_dir"}`:                           "",
		`{"text":"\"full_output_save_dir\":\"/a\""}`:                "",
		`{"full_output_save_di":"/a"}`:                              "",
		`{"xfull_output_save_dir":"/a"}`:                            "",
		`"full_output_sa"full_output_save_dir":"/a"`:                `"full_output_sa"full_output_save_dir":""  `,
		`"full_output_save_dir`:                                     "",
		`vvvvvv`:                                                    "",
		``:                                                          "",
	}
	for said, want := range cases {
		if want == "" {
			want = said
		}
		for size := 1; size <= len(said)+1; size++ {
			if got := agentserver.EraseFolders(said, func() int { return size }); got != want {
				t.Errorf("in pieces of %d, %s became\n%s, want\n%s", size, said, got, want)
				break
			}
		}
		if got := agentserver.EraseFolders(said, func() int { return 1 + rand.IntN(9) }); got != want {
			t.Errorf("%s became %s", said, got)
		}
	}
}

func TestALiveObservationShowsNoFolderOfTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	var said, want []string
	for _, printed := range []string{"short", strings.Repeat("long ", 20_000), strings.Repeat("longer ", 300_000)} {
		s, e := observed(printed)
		said = append(said, s, `{"type":"event","event":`+s+`}`, `{"key":"agent","value":"x","event":`+s+`}`)
		want = append(want, e, `{"type":"event","event":`+e+`}`, `{"key":"agent","value":"x","event":`+e+`}`)
	}
	for _, path := range []string{"/sockets/events/", "/sockets/session/"} {
		for n, got := range w.hearing("ann", path+id, said...) {
			if got != want[n] {
				t.Errorf("%s: message %d of %d bytes became %d bytes, ending with %q", path, n, len(said[n]), len(got), got[max(0, len(got)-200):])
			}
		}
	}
}

func TestAStoredObservationShowsNoFolderOfTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := conversationsPath + "/" + w.create("ann", nil).String()
	for _, printed := range []string{"short", strings.Repeat("longest ", 5<<20/2)} {
		said, want := observed(printed)
		for path, around := range map[string][2]string{
			"/events/search": {`{"items":[{"id":"d"},`, `],"next_page_id":null}`},
			"/events/e":      {},
			"/events":        {`[null,`, `]`},
		} {
			w.says(around[0] + said + around[1])
			var ids any
			if path == "/events" {
				ids = `["e"]`
			}
			if a := w.ask("ann", "GET", id+path, ids); a.status != 200 || a.body != around[0]+want+around[1] {
				t.Errorf("%s: %d, %d bytes, ending with %q", path, a.status, len(a.body), a.body[max(0, len(a.body)-200):])
			}
		}
	}
}
