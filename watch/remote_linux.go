package watch

import "golang.org/x/sys/unix"

// remote says whether dir is on a file system whose changes may be made where this
// kernel does not see them, statfs(2): network shares, and a host's folders in a virtual
// machine, which come by FUSE or 9P.
func remote(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, vboxsf:
		return true
	}
	return false
}

// vboxsf is the magic number of VirtualBox's shared folders.
const vboxsf = 0x786f4256
