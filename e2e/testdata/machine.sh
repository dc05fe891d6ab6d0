# A machine with a real systemd as its first process, in namespaces: machine.sh DIR. The root of this one is the read-only
# lower layer of an overlay whose upper layer, DIR/u, outlives a reboot. It ends when the machine is powered off.
set -eu
dir=$1
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$dir"
mkdir "$dir/u" "$dir/w" "$dir/r"
mkdir -p "$dir/u/usr/local/bin"
shift
cp "$@" "$dir/u/usr/local/bin/"
cat > "$dir/boot" <<'END'
set -eu
r=$1/r
mount --make-rprivate /
mount -t overlay -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" overlay "$r"
if [ ! -e "$1/booted" ]; then # nothing of this machine's services
    rm -rf "$r"/etc/systemd/system/* "$r"/etc/rc?.d "$r/etc/fstab" "$r/var/lib/systemd/linger"
    touch "$1/booted"
fi
mount -t proc proc "$r/proc"
mount -t sysfs -o ro sysfs "$r/sys"
mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup"
for d in run tmp dev; do mount -t tmpfs tmpfs "$r/$d"; done
for n in null zero full random urandom tty; do : > "$r/dev/$n"; mount --bind "/dev/$n" "$r/dev/$n"; done
mkdir "$r/dev/pts" "$r/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$r/dev/pts"
ln -s pts/ptmx "$r/dev/ptmx"
ln -s /proc/self/fd "$r/dev/fd"
cd "$r"
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no --log-target=null
END
while :; do
    status=0
    unshare --fork --pid --mount --cgroup --uts --ipc --net --kill-child bash "$dir/boot" "$dir" || status=$?
    [ "$status" -eq 129 ] || exit "$status" # 129 is a reboot
done
