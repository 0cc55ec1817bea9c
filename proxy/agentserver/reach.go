package agentserver

import (
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// Which host paths a team's conversations may reach at all, whatever their rows say: a second net below the confinement to a
// conversation's folder, because a row that was adopted names a folder that was never chosen here.

// teamsFolder holds every team's root.
func (d *Dialect) teamsFolder() string { return path.Join(d.config.WorkspaceRoot, "teams") }

// reaches is access.ErrHidden for a clean absolute path that holds other teams' files, or lies among them.
func (d *Dialect) reaches(team uuid.UUID, p string) error {
	all := d.teamsFolder()
	switch {
	case p == "/", within(p, all):
		return access.ErrHidden
	case within(all, p) && d.teamOf(p) != team:
		return access.ErrHidden
	}
	return nil
}

// mayAdopt says whether a conversation in dir may become the team's. Where a relative folder lies is known to the upstream
// alone, so it must be harmless from wherever the teams' folders can be reached.
func (d *Dialect) mayAdopt(team uuid.UUID, dir string) bool {
	if path.IsAbs(dir) {
		return d.reaches(team, path.Clean(dir)) == nil
	}
	dir = path.Clean(dir)
	if dir == ".." || strings.HasPrefix(dir, "../") {
		return false
	}
	for from := d.teamsFolder(); ; from = path.Dir(from) {
		at := path.Join(from, dir)
		if other := d.teamOf(at); within(at, d.teamsFolder()) || other != uuid.Nil && other != team {
			return false
		}
		if from == "/" {
			return true
		}
	}
}
