package primary

// addressInUse is UV_EADDRINUSE as libuv has it on Windows.
const addressInUse = -4091
