package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newReportCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "report",
		Short: "Print what a report of a problem should contain",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			status, err := client.Daemon(cmd.Context())
			if err != nil {
				return err
			}
			list, err := client.Processes(cmd.Context(), ipc.ListQuery{Usage: true})
			if err != nil {
				return err
			}
			return c.report(status, list)
		},
	}
}

// report contains no environment: it is pasted in public.
func (c *cli) report(status app.DaemonStatus, list []app.Status) error {
	for _, s := range []section{
		{"Daemon", daemonRows(status, time.Now())},
		{"Command", [][2]string{{"version", app.Version}, {"go", runtime.Version()}, {"path", executable()}}},
		{"System", systemRows()},
	} {
		if err := c.printSection(s); err != nil {
			return err
		}
	}
	if err := processTable(list, c.screen.width, time.Now()).draw(c.out, c.paint()); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Last %d lines of %s:\n", reportLines, daemonLog)
	_, err := io.WriteString(c.out, lastLines(filepath.Join(status.Home, daemonLog), reportLines))
	return err
}

const reportLines = 20

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "N/A"
	}
	return path
}

func systemRows() [][2]string {
	host, err := os.Hostname()
	if err != nil {
		host = "N/A"
	}
	return [][2]string{
		{"host", host}, {"platform", platform()}, {"CPUs", fmt.Sprint(runtime.NumCPU())},
		{"user", fmt.Sprint(os.Getuid())},
	}
}

// platform is what this binary was built for.
func platform() string {
	built := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			built[s.Key] = s.Value
		}
	}
	return built["GOOS"] + "/" + built["GOARCH"]
}

// lastLines returns the end of a file that may be long.
func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxReason {
		_, _ = f.Seek(-maxReason, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, maxReason))
	lines := strings.Split(string(bytes.TrimRight(text, "\n")), "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n") + "\n"
}
