"""What `yolo-cot enable` puts into an environment: a line, and the finder that it installs."""
