package master

import (
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// startupInfo is STARTUPINFOEXW with the fields for descriptors, which x/sys has no names for.
type startupInfo struct {
	size                  uint32
	_                     *uint16
	desktop, title        *uint16
	_                     [7]uint32 // of windows and consoles
	flags                 uint32
	_                     uint16
	tableSize             uint16
	table                 *byte
	stdin, stdout, stderr windows.Handle
	attributes            *windows.ProcThreadAttributeList
}

// createProcess starts a program, suspended, that inherits the launch's handles and no others.
func createProcess(l *launch) (*windows.ProcessInformation, error) {
	handles, err := inheritable(l.files)
	defer func() {
		for _, h := range handles {
			if h != windows.InvalidHandle {
				windows.CloseHandle(h)
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	list, err := inheritOnly(handles)
	if err != nil {
		return nil, err
	}
	defer list.Delete()
	si := startupInfo{flags: windows.STARTF_USESTDHANDLES | windows.STARTF_USESHOWWINDOW, stdin: handles[0], stdout: handles[1], stderr: handles[2], attributes: list.List()}
	si.size = uint32(unsafe.Sizeof(si))
	if len(handles) > 3 {
		table := descriptorTable(handles)
		si.table, si.tableSize = &table[0], uint16(len(table))
	}
	path, err1 := windows.UTF16PtrFromString(l.Path)
	line, err2 := windows.UTF16PtrFromString(windows.ComposeCommandLine(l.Argv))
	var dir *uint16
	var err3 error
	if l.Dir != "" {
		dir, err3 = windows.UTF16PtrFromString(l.Dir)
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	var info windows.ProcessInformation
	const how = windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_UNICODE_ENVIRONMENT | windows.EXTENDED_STARTUPINFO_PRESENT
	err = windows.CreateProcess(path, line, nil, nil, true, how, &environment(l.Env)[0], dir, (*windows.StartupInfo)(unsafe.Pointer(&si)), &info)
	return &info, err
}

// inheritable returns copies of the handles that a child can inherit; InvalidHandle for a gap. With an error come those that are to
// be closed.
func inheritable(files []int) (handles []windows.Handle, err error) {
	self := windows.CurrentProcess()
	for _, f := range files {
		h := windows.InvalidHandle
		if f != closed {
			if err := windows.DuplicateHandle(self, windows.Handle(f), self, &h, 0, true, windows.DUPLICATE_SAME_ACCESS); err != nil {
				return handles, err
			}
		}
		handles = append(handles, h)
	}
	return handles, nil
}

// inheritOnly keeps the child from inheriting what other starts have made inheritable at this moment.
func inheritOnly(handles []windows.Handle) (*windows.ProcThreadAttributeListContainer, error) {
	list, err := windows.NewProcThreadAttributeList(1)
	if err != nil {
		return nil, err
	}
	only := slices.DeleteFunc(slices.Clone(handles), func(h windows.Handle) bool { return h == windows.InvalidHandle })
	err = list.Update(windows.PROC_THREAD_ATTRIBUTE_HANDLE_LIST, unsafe.Pointer(&only[0]), uintptr(len(only))*unsafe.Sizeof(only[0]))
	if err != nil {
		list.Delete()
		return nil, err
	}
	return list, nil
}

// The flags that the C runtime keeps of a descriptor.
const (
	crtOpen   = 0x01
	crtPipe   = 0x08
	crtDevice = 0x40
)

// descriptorTable tells the C runtime of the child which handle is which descriptor: their number, a byte of flags for each, then
// the handles. This is how Node finds the descriptor in NODE_CHANNEL_FD.
func descriptorTable(handles []windows.Handle) []byte {
	table := binary.LittleEndian.AppendUint32(nil, uint32(len(handles)))
	for _, h := range handles {
		flags := byte(0)
		if h != windows.InvalidHandle {
			flags = crtOpen
			switch kind, _ := windows.GetFileType(h); kind {
			case windows.FILE_TYPE_PIPE:
				flags |= crtPipe
			case windows.FILE_TYPE_CHAR:
				flags |= crtDevice
			}
		}
		table = append(table, flags)
	}
	for _, h := range handles {
		if unsafe.Sizeof(h) == 8 {
			table = binary.LittleEndian.AppendUint64(table, uint64(h))
		} else {
			table = binary.LittleEndian.AppendUint32(table, uint32(h))
		}
	}
	return table
}

// environment is a block of UTF-16 strings, each ended by a zero, and one more.
func environment(env []string) []uint16 {
	var block []uint16
	for _, kv := range env {
		block = append(appendUTF16(block, kv), 0)
	}
	if len(block) == 0 {
		block = append(block, 0)
	}
	return append(block, 0)
}

func appendUTF16(dst []uint16, s string) []uint16 {
	for _, r := range s {
		dst = utf16.AppendRune(dst, r)
	}
	return dst
}
