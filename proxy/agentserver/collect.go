package agentserver

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// The folders that deleted conversations leave behind: the upstream deletes its own records only. Which are claimed, and that
// nobody else works in them, is tenancy/conversation's matter. Here it is decided which folders are a conversation's own, and
// they are removed: through the mount where there is one, else by a command of the upstream. Agents may put symbolic links
// wherever they like while that happens, so neither way walks through one.

const (
	// collectBatch bounds a claim, and with it the command that removes what it holds.
	collectBatch = 20
	// collectBudget is the time for a batch: well below the half hour that a claim holds.
	collectBudget = 10 * time.Minute
	// maxCollected is the longest path that is removed. Those that are made here are far shorter.
	maxCollected = 1024
)

var errNotAnswered = errors.New("the upstream did not say whether it is gone")

// Collect removes the folders of conversations that were deleted an hour ago, and returns of how many. What fails is tried again
// later. Any number of replicas may run it at once. Call it every few minutes.
func (d *Dialect) Collect(ctx context.Context) (int, error) {
	collected := 0
	for {
		claims, err := d.config.Conversations.ClaimGarbage(ctx, collectBatch, d.ownFolders)
		if err != nil || len(claims) == 0 {
			return collected, err
		}
		n, err := d.collect(ctx, claims)
		collected += n
		if err != nil {
			return collected, err
		}
	}
}

// collect removes what was claimed. An error means that the outcome is unknown: the claims run out by themselves.
func (d *Dialect) collect(ctx context.Context, claims []conversation.Garbage) (collected int, err error) {
	ctx, cancel := context.WithTimeout(ctx, collectBudget)
	defer cancel()
	left, err := d.remove(ctx, foldersOf(claims))
	if err != nil {
		return 0, fmt.Errorf("remove folders of deleted conversations: %w", err)
	}
	for _, g := range claims {
		if err := remaining(g, left); err != nil {
			d.log.Warn("a folder of a deleted conversation could not be removed; it is tried again", "conversation", g.ID, "team", g.Team,
				"attempt", g.Attempt, "error", err)
			if err := d.config.Conversations.NotCollected(ctx, g); err != nil {
				return collected, err
			}
			continue
		}
		if err := d.config.Conversations.Collected(ctx, g); err != nil {
			return collected, err
		}
		collected++
	}
	return collected, nil
}

// remove removes folders and says of those that are left why.
func (d *Dialect) remove(ctx context.Context, folders []string) (left map[string]error, err error) {
	if d.config.WorkspaceMount != "" {
		return d.removeHere(ctx, folders)
	}
	return d.removeThere(ctx, folders)
}

// foldersOf lists what was claimed, each folder once.
func foldersOf(claims []conversation.Garbage) []string {
	var folders []string
	seen := map[string]bool{}
	for _, g := range claims {
		for _, f := range g.Folders {
			if !seen[f] {
				seen[f] = true
				folders = append(folders, f)
			}
		}
	}
	return folders
}

func remaining(g conversation.Garbage, left map[string]error) error {
	var reasons []error
	for _, f := range g.Folders {
		if err := left[f]; err != nil {
			reasons = append(reasons, fmt.Errorf("%s: %w", f, err))
		}
	}
	return errors.Join(reasons...)
}

// ownFolders are the folders that go with a conversation: the one that was made for it, and its further ones. A folder that
// somebody picked, such as a repository, was there before the conversation and stays; so does what an adopted one left elsewhere.
func (d *Dialect) ownFolders(c conversation.Conversation) []string {
	var own []string
	if d.removable(c.Team, c.WorkingDir) && path.Dir(c.WorkingDir) == d.project(c.Team) && madeName(path.Base(c.WorkingDir)) {
		own = append(own, c.WorkingDir)
	}
	for _, root := range c.Roots {
		if d.removable(c.Team, root) {
			own = append(own, root)
		}
	}
	return own
}

// removable says whether p lies in the team's root, and is neither the project folder nor anything around it, such as that root.
func (d *Dialect) removable(team uuid.UUID, p string) bool {
	return canonicalPath(p) && len(p) <= maxCollected && !strings.ContainsFunc(p, unicode.IsControl) &&
		team != uuid.Nil && d.teamOf(p) == team && !within(p, d.project(team))
}

// madeName says whether a folder's name is one that is made up for a conversation, here and by the UI: 32 hexadecimal digits.
func madeName(name string) bool {
	return len(name) == 32 && strings.Trim(name, "0123456789abcdef") == ""
}

// belowTeams is p as seen from the folder of all teams.
func (d *Dialect) belowTeams(p string) []string {
	return strings.Split(strings.TrimPrefix(p, d.teamsFolder()+"/"), "/")
}
