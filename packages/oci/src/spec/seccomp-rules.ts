/**
 * System calls that the runtime-default seccomp profile allows, as those of Docker and podman do; any other fails with EPERM. The profile
 * has the calls that programs need, and none that only a host's administrator needs. The runtimes skip names that the machine or
 * its libseccomp does not know.
 */
import type { linuxCapabilities } from "@podfleet/model/container/capability";

type CapabilityName = (typeof linuxCapabilities)[number];

/** System calls that each container may make. */
export const allowedCalls: readonly string[] = callNames({
  files: `access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
    flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64
    ioctl lchown lchown32 link linkat listmount lseek _llseek lstat lstat64 mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 readahead readlink readlinkat rename renameat renameat2 rmdir stat
    stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs truncate truncate64 umask
    unlink unlinkat utime utimensat utimensat_time64 utimes`,
  attributes: `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat
    llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  transfer: `pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv sendfile sendfile64 splice tee vmsplice write
    writev pipe pipe2`,
  asynchronous: `io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
  events: `epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll ppoll_time64
    pselect6 pselect6_time64 select _newselect signalfd signalfd4`,
  memory: `brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
    mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages`,
  processes: `capget capset execve execveat exit exit_group fork vfork getegid getegid32 geteuid geteuid32 getgid
    getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid
    getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill pidfd_open
    pidfd_send_signal prctl prlimit64 process_mrelease seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
    setreuid32 setrlimit setsid setuid setuid32 ugetrlimit uname wait4 waitid waitpid`,
  threads: `futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu
    restart_syscall rseq set_robust_list set_thread_area set_tid_address`,
  scheduling: `sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
    sched_setparam sched_setscheduler sched_yield`,
  signals: `alarm pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn tgkill tkill`,
  time: `adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer sysinfo time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  messages: `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat
    shmctl shmdt shmget`,
  confinement: `getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self`,
  debugging: `process_vm_readv process_vm_writev ptrace`,
});

/** System calls that a container with the capability may make as well. */
export const allowedByCapability: Partial<Readonly<Record<CapabilityName, readonly string[]>>> = {
  BPF: ["bpf"],
  DAC_READ_SEARCH: ["open_by_handle_at"],
  PERFMON: ["perf_event_open"],
  SYS_ADMIN: callNames({
    kernel: "bpf fanotify_init lookup_dcookie perf_event_open quotactl quotactl_fd syslog",
    mounts:
      "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree umount umount2",
    namespaces: "clone clone3 setdomainname sethostname setns unshare",
  }),
  SYS_BOOT: ["reboot"],
  SYS_CHROOT: ["chroot"],
  SYS_MODULE: ["delete_module", "finit_module", "init_module"],
  SYS_NICE: ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"],
  SYS_PACCT: ["acct"],
  SYS_PTRACE: ["kcmp", "pidfd_getfd", "process_madvise"],
  SYS_RAWIO: ["ioperm", "iopl"],
  SYS_TIME: ["clock_settime", "clock_settime64", "settimeofday", "stime"],
  SYS_TTY_CONFIG: ["vhangup"],
  SYSLOG: ["syslog"],
};

interface Architecture {
  readonly name: string;
  readonly calls: readonly string[];
  /** The older architecture whose programs the machine runs too, and the loaders that such programs need. */
  readonly compatible?: { readonly name: string; readonly loaders: readonly string[] };
}

/** Architectures by Node's name for them. */
export const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    name: "SCMP_ARCH_X86_64",
    calls: ["arch_prctl", "modify_ldt"],
    compatible: {
      name: "SCMP_ARCH_X86",
      loaders: ["/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"],
    },
  },
  arm64: {
    name: "SCMP_ARCH_AARCH64",
    calls: callNames({
      files: "arm_fadvise64_64 arm_sync_file_range sync_file_range2",
      processor: "breakpoint cacheflush set_tls",
    }),
    compatible: {
      name: "SCMP_ARCH_ARM",
      loaders: ["/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"],
    },
  },
  riscv64: { name: "SCMP_ARCH_RISCV64", calls: ["riscv_flush_icache"] },
};

/** Flags of clone(2) that make a namespace: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
export const namespaceFlags = 0x7e020000;

/** Values of personality(2) that are harmless: Linux, Linux without uname26, their 32-bit forms, and the query. */
export const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** Sockets to the host's hypervisor. */
export const AF_VSOCK = 40;

function callNames(groups: Readonly<Record<string, string>>): string[] {
  return Object.values(groups).flatMap((text) => text.trim().split(/\s+/));
}
