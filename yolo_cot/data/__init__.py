"""What makes data sets: drawn shapes, and other label formats turned into YOLO's."""
