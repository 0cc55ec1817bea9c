package agentserver

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Commands. Whoever may tell an agent what to do has a terminal anyway, so a conversation's commands are its writers'. They run
// in the conversation's folder and are logged with the conversation; the flat calls, whose log is one for all teams, are turned
// into those.

// maxCommand is the longest time that a command may take, in seconds: the upstream's own default.
const maxCommand = 300

// listFilesCommand is the command by which the Canvas UI fills its tree of files. It changes nothing, so whoever may read files may run
// it, to the letter.
const listFilesCommand = `find . \( -name '.git' -prune -o -name 'node_modules' -prune -o -name '.venv' -prune -o -name 'venv' -prune ` +
	`-o -name '__pycache__' -prune -o -name 'dist' -prune -o -name 'build' -prune -o -name '.next' -prune -o -name '.cache' -prune ` +
	`-o -name '.pytest_cache' -prune -o -name '.mypy_cache' -prune -o -name '.turbo' -prune -o -name '.parcel-cache' -prune ` +
	`-o -name 'target' -prune \) -o -type f -print 2>/dev/null | sort | head -n 2000`

// askGitCommand is the command by which it finds the remote and the branch that it shows below a conversation. It changes nothing either.
const askGitCommand = `r=$(git remote get-url origin 2>/dev/null)
b=$(git rev-parse --abbrev-ref HEAD 2>/dev/null)
if [ -z "$r$b" ]; then
n=$(find . -mindepth 2 -maxdepth 4 -name .git 2>/dev/null | cut -c3- | sed 's|/.git$||' | sort -u)
c=$(printf '%s\n' "$n" | grep -c '[^[:space:]]')
if [ "$c" = "1" ] && [ -n "$n" ]; then
r=$(git -C "$n" remote get-url origin 2>/dev/null)
b=$(git -C "$n" rev-parse --abbrev-ref HEAD 2>/dev/null)
fi
fi
printf '%s\n%s' "$r" "$b"`

// onlyReads says whether a command is one of those two.
func onlyReads(command any) bool { return command == listFilesCommand || command == askGitCommand }

var errNoBash = problem.New(http.StatusForbidden, "Commands outside of agents are switched off here (CONVERSATION_BASH).")

// ownBash runs a command of a conversation.
func (d *Dialect) ownBash(x *proxy.Exchange) error {
	body, err := d.bashBody(x, d.folderOf(x))
	if err != nil {
		return err
	}
	return x.Forward(d.touching(x, outgoing(body)))
}

// flatBash runs a command as that of the conversation in whose folder it starts.
func (d *Dialect) flatBash(x *proxy.Exchange) error {
	body, err := d.bashBody(x, text(4096))
	if err == nil {
		err = d.aimBash(x, body)
	}
	if err != nil {
		return err
	}
	out := outgoing(body)
	out.Path = conversations + "/" + x.Object.ID.String() + "/bash/execute_bash_command"
	if onlyReads(body["command"]) {
		return x.Forward(out)
	}
	return x.Forward(d.touching(x, out))
}

// aimBash finds the conversation of a flat command.
func (d *Dialect) aimBash(x *proxy.Exchange, body map[string]any) error {
	cwd := folder(trimmed(body, "cwd"))
	if !canonicalPath(cwd) {
		s := &sanitizer{}
		s.refuse([]any{"body", "cwd"}, "Input should be the absolute path of a conversation's folder, without dot segments")
		return s.err()
	}
	need := writeTalk
	if onlyReads(body["command"]) {
		need = access.FileRead
	}
	body["cwd"] = cwd
	if d.apart(x.Request.Context()) {
		return d.pageCall(x, cwd, need)
	}
	return d.held(x, cwd, need)
}

// bashBody reads a command, with the given rule for its folder.
func (d *Dialect) bashBody(x *proxy.Exchange, cwd rule) (map[string]any, error) {
	if !d.config.Bash {
		return nil, errNoBash
	}
	allowed := rules{"command": text(longText), "timeout": number(1, maxCommand), "cwd": cwd}
	body, s, err := sanitized(x, allowed)
	if err != nil {
		return nil, err
	}
	if body["command"] == nil {
		s.fault("missing", []any{"body", "command"}, "Field required")
	}
	if body["timeout"] == nil {
		delete(body, "timeout")
	}
	return body, s.err()
}

// folderOf accepts a folder that the conversation's commands may start in, as far as its name tells: the upstream looks whether
// it lies in the working directory.
func (d *Dialect) folderOf(x *proxy.Exchange) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, false // the working directory
		}
		dir, _ := v.(string)
		if dir = folder(dir); !canonicalPath(dir) || d.reachesHere(x, dir) != nil {
			s.refuse(loc, "cwd must be inside the conversation workspace")
			return nil, false
		}
		return dir, true
	}
}

// bashLog forwards a question about a conversation's own log of commands.
func (d *Dialect) bashLog(x *proxy.Exchange) error {
	if !d.config.Bash {
		return errNoBash
	}
	return x.Forward(proxy.Outgoing{})
}

// bashBatch forwards the ids, which come as a JSON list in the body of a GET.
func (d *Dialect) bashBatch(x *proxy.Exchange) error {
	if !d.config.Bash {
		return errNoBash
	}
	ids, err := idList(x, maxCommandIDs)
	if err != nil {
		return err
	}
	return x.Forward(outgoing(ids))
}
