//go:build unix

package embedpg

import (
	"maps"
	"slices"
	"strings"
)

// arguments are the server's settings. They are given at each start and not written into its files, so that a newer version of
// ours can change them.
func (s *Server) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "",
		"port":                    port,
		"unix_socket_directories": `"` + strings.ReplaceAll(s.socket, `"`, `""`) + `"`,
		"unix_socket_permissions": "0700",
		"lc_messages":             "C", // its words are read by failure
	}
	maps.Copy(settings, logging())
	if !s.cfg.Fsync {
		maps.Copy(settings, map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
	}
	maps.Copy(settings, s.cfg.Settings)
	args := []string{"-D", s.folder.cluster}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// logging keeps one file for each day of the week, written over after a week.
func logging() map[string]string {
	return map[string]string{
		"logging_collector":        "on",
		"log_directory":            logFolder,
		"log_filename":             "postgres-%a.log",
		"log_file_mode":            "0600",
		"log_rotation_age":         "1d",
		"log_rotation_size":        "0",
		"log_truncate_on_rotation": "on",
	}
}

const logFolder = "log"
