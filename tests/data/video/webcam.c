/* A webcam, /dev/video7, for a process that this library is loaded into (LD_PRELOAD).
 *
 * It answers what a driver of Video4Linux answers to a program that captures pictures through
 * memory it shares with it (https://docs.kernel.org/userspace-api/media/v4l/mmap.html): 96 x 64
 * pixels as YUYV, 50 a second. Picture i has the brightness 60 + 3 (i mod 40). After as many
 * pictures as WEBCAM_PICTURES says, somebody pulls it out; by default nobody does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WIDTH = 96, HEIGHT = 64, RATE = 50, MOST_BUFFERS = 8, SIZE = 2 * WIDTH * HEIGHT, ROOM = 16384 };

static int camera = -1; /* the file that stands for the device, with all buffers in it */
static int queue[MOST_BUFFERS], queued, pictures;

static int open_camera(void) {
    camera = memfd_create("webcam", 0);
    return ftruncate(camera, MOST_BUFFERS * ROOM) ? -1 : camera;
}

static int open_other(const char *path, int flags, va_list rest) {
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int file = strcmp(path, "/dev/video7") ? open_other(path, flags, rest) : open_camera();
    va_end(rest);
    return file;
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

static int fail(int reason) {
    errno = reason;
    return -1;
}

static void describe(struct v4l2_pix_format *format) {
    *format = (struct v4l2_pix_format){
        .width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_YUYV, .field = V4L2_FIELD_NONE,
        .bytesperline = 2 * WIDTH, .sizeimage = SIZE, .colorspace = V4L2_COLORSPACE_SRGB};
}

/* Waits for the next picture, and puts it into the buffer that was queued first. */
static int capture(struct v4l2_buffer *buffer) {
    const char *most = getenv("WEBCAM_PICTURES");
    usleep(1000000 / RATE);
    if (!queued) return fail(EAGAIN);
    if (most && pictures >= atoi(most)) return fail(ENODEV);
    buffer->index = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    unsigned char row[2 * WIDTH];
    for (int x = 0; x < 2 * WIDTH; x++) row[x] = x % 2 ? 128 : 60 + 3 * (pictures % 40);
    for (int y = 0; y < HEIGHT; y++)
        if (pwrite(camera, row, sizeof row, buffer->index * ROOM + y * sizeof row) < 0) return -1;
    buffer->bytesused = SIZE;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->sequence = pictures;
    buffer->timestamp.tv_sec = 1000 + pictures / RATE;
    buffer->timestamp.tv_usec = pictures % RATE * (1000000 / RATE);
    pictures++;
    return 0;
}

static int answer(unsigned long request, void *data) {
    struct v4l2_buffer *buffer = data;
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *able = data;
        strcpy((char *)able->card, "a webcam");
        able->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_G_INPUT:
        *(int *)data = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        return ((struct v4l2_input *)data)->index ? fail(EINVAL) : 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT:
        describe(&((struct v4l2_format *)data)->fmt.pix);
        return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_captureparm *capturing = &((struct v4l2_streamparm *)data)->parm.capture;
        capturing->capability = V4L2_CAP_TIMEPERFRAME;
        capturing->timeperframe = (struct v4l2_fract){1, RATE};
        return 0;
    }
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)data)->count = MOST_BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = ROOM;
        buffer->m.offset = buffer->index * ROOM;
        return 0;
    case VIDIOC_QBUF:
        queue[queued++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return capture(buffer);
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF:
        return 0;
    default:
        return fail(ENOTTY);
    }
}

int ioctl(int file, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *data = va_arg(rest, void *);
    va_end(rest);
    if (file >= 0 && file == camera) return answer((unsigned int)request, data);
    return syscall(SYS_ioctl, file, request, data);
}
