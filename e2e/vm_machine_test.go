//go:build linux

package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// virtual is an emulated machine, booted from the image that .ci/vm makes. Commands go to it by a serial line, see
// testdata/vm/agent.sh.
type virtual struct {
	guest
	dir     string
	qemu    *exec.Cmd
	line    net.Conn
	replies *bufio.Reader
	asked   int
}

// emulated is how long anything may take in there: a processor is emulated, on a machine that may be busy.
const emulated = 15 * time.Minute

func newVirtual(t *testing.T) *virtual {
	t.Helper()
	image := os.Getenv("GPM_VM")
	if image == "" {
		t.Skip("needs the image of a virtual machine: make vm")
	}
	dir, err := os.MkdirTemp("", "gpm-vm-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	v := &virtual{dir: dir}
	v.guest = guest{t: t, exec: v.tell, patience: emulated}
	programs := filepath.Join(dir, "bin")
	do(t, "mkdir", programs)
	do(t, "cp", gpmBin, progBin, programs)
	do(t, "mke2fs", "-q", "-F", "-t", "ext4", "-d", programs, filepath.Join(dir, "bin.img"), "256M")
	do(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", filepath.Join(image, "disk.img"), filepath.Join(dir, "disk.qcow2"))
	v.qemu = exec.Command("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2",
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd"), "-append", "root=/dev/vda rw console=ttyS0 quiet",
		"-drive", "file="+filepath.Join(dir, "disk.qcow2")+",format=qcow2,if=virtio,cache=unsafe",
		"-drive", "file="+filepath.Join(dir, "bin.img")+",format=raw,if=virtio,readonly=on",
		"-no-user-config", "-nodefaults", "-display", "none", "-serial", "file:"+filepath.Join(dir, "console.log"),
		"-chardev", "socket,id=line,server=on,wait=off,path="+filepath.Join(dir, "line"), "-serial", "chardev:line")
	if err := v.qemu.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.qemu.Process.Kill(); _ = v.qemu.Wait() })
	t.Cleanup(func() {
		if console, err := os.ReadFile(filepath.Join(dir, "console.log")); err == nil && t.Failed() {
			t.Logf("its console:\n%s", console[max(0, len(console)-4096):])
		}
	})
	v.until("the machine has a serial line", func() bool {
		v.line, err = net.Dial("unix", filepath.Join(dir, "line"))
		return err == nil
	})
	v.replies = bufio.NewReaderSize(v.line, 1<<20)
	v.awaitBoot("")
	return v
}

func do(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", words, err, out)
	}
}

// bootID tells one boot from another; "" while nobody answers.
func (v *virtual) bootID(limit time.Duration) string {
	r, ok := v.ask("cat /proc/sys/kernel/random/boot_id", limit)
	if !ok || r.code != 0 {
		return ""
	}
	return r.out
}

func (v *virtual) awaitBoot(before string) {
	v.t.Helper()
	limit := 5 * time.Second // and ever more: what a machine under way gets to read is answered when it is up, one after the other
	v.until("the machine is up", func() bool {
		id := v.bootID(limit)
		limit = min(2*limit, time.Minute)
		return id != "" && id != before
	})
	v.until("systemd is done with the boot", func() bool {
		state := v.run("", "systemctl", "is-system-running").out
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	})
}

func (v *virtual) reboot() {
	v.t.Helper()
	before := v.bootID(emulated)
	v.ask("systemctl reboot", 5*time.Second)
	v.awaitBoot(before)
}

// tell carries out a command, as a user if one is given.
func (v *virtual) tell(user string, words []string) result {
	v.t.Helper()
	line := []string{"env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NO_COLOR=1", "HOME=/root"}
	if user != "" {
		line = append([]string{"runuser", "-u", user, "--"}, line...)
		line[len(line)-1] = "HOME=/home/" + user
		line = append(line, "XDG_RUNTIME_DIR=/run/user/"+strings.TrimSpace(v.tell("", []string{"id", "-u", user}).out))
	}
	for _, word := range words {
		line = append(line, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	r, ok := v.ask(strings.Join(line, " "), emulated)
	if !ok {
		v.t.Fatalf("no answer to %v", words)
	}
	return r
}

// ask is false where no answer came in time.
func (v *virtual) ask(command string, limit time.Duration) (r result, ok bool) {
	v.asked++
	id := strconv.Itoa(v.asked)
	_ = v.line.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintf(v.line, "%s %s\n", id, base64.StdEncoding.EncodeToString([]byte(command))); err != nil {
		return r, false
	}
	for {
		text, err := v.replies.ReadString('\n')
		if err != nil {
			return r, false
		}
		words := strings.Split(strings.TrimRight(text, "\r\n"), " ")
		if len(words) != 4 || words[0] != id { // an answer that nobody waits for any more, or an echo
			continue
		}
		if r.code, err = strconv.Atoi(words[1]); err != nil {
			continue
		}
		return result{plain(words[2]), plain(words[3]), r.code}, true
	}
}

func plain(text string) string {
	b, _ := base64.StdEncoding.DecodeString(text)
	return string(b)
}
