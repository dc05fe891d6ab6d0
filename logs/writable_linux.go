package logs

import (
	"slices"

	"golang.org/x/sys/unix"
)

// isPlainlyWritable says that a file can be made in a directory, without making one: an ext4 looks for a long time for an
// inode while some were freed a moment ago, which a file of many apps would wait for. Permissions are the whole truth on
// these file systems only; elsewhere it has to be tried (proc lets root write, and has no files to be made).
func isPlainlyWritable(dir string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil || fs.Flags&unix.ST_RDONLY != 0 {
		return false
	}
	plain := []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC}
	return slices.Contains(plain, int64(fs.Type)) && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}
